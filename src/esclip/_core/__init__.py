"""Values and vocabulary that all layers share. No I/O."""
