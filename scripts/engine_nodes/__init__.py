"""Real search engines on loopback, for tests: by Docker where its daemon answers, else from Maven's files.

    _catalogue ─► _homes: mvn, unzip ─► <cache>/homes/opensearch-3.6.0/     shared, read-only
                                              │
                  _nodes: config, start ─► <cache>/nodes/cluster/n1/        one node: config, data, logs, pid
                                              │
                  _cli: wait for health ─► export ESCLIP_TEST_CLUSTER=http://127.0.0.1:9213

Two have a lock: `secured` is an Elasticsearch with its security on, `proxied` an nginx before OpenSearch
(`_keys`, `_proxy`). The others let anybody in, and every start begins with empty data: for tests only.
"""

from __future__ import annotations

from ._cli import main

__all__ = ["main"]
