"""What a text says about itself: its language, its topics, its mood."""
