"""Milvus, by pymilvus (the extra `milvus`): a server, or a folder of Milvus Lite, `photos.db`."""
