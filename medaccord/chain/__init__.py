"""The chain: compiled contracts, networks, deployments, sending, actions and events."""
