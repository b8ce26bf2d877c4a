"""What things cost: pooled unit costs, real price growth and placement prices."""
