"""What the stacks are built of."""
