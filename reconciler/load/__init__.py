"""From a commit of the fleet repository to what is desired."""
