"""Real hosts, real controllers, and a seeded nemesis: what is promised holds meanwhile, and all converges after."""
