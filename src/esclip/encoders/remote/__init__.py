"""An encoder on another machine: client, and the protocol that both ends speak."""
