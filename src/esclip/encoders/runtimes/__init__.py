"""What computes vectors: towers in OpenVINO or torch, and the export of the one from the other."""
