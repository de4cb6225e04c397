"""Effects that happen once: keys that stand for one message each, and intents until it is known what became of them."""
