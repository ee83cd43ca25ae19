"""What the end-to-end tests are made of: raw HTTP clients, scripted backends, the real binary."""
