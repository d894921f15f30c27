"""OpenSearch and Elasticsearch: JSON as pure functions, one client, one store."""
