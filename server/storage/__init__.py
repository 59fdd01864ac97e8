"""What is kept: events, and the documents that follow from them."""
