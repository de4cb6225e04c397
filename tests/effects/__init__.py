"""Effects that happen once: keys, and intents until it is known what became of them."""
