"""What must hold for every history, however unlikely: long seeded runs, and a short form of each for CI."""
