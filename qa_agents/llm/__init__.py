"""The language-model side: the gateway to a model, prompts, and what must happen to text before a model may see it."""
