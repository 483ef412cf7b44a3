"""Whether the commits of the fleet repository are signed by those who may. Nothing of a repository's configuration,
and no keyring of the user's, has a say in it."""
