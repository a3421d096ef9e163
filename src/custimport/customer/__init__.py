"""What a valid customer is, and the catalogue of what can be wrong with one."""
