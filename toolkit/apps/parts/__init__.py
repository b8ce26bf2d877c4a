"""What the pages are built from: charts, cards, fields and controls."""
