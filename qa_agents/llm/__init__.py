"""The language-model side: prompts, and what must happen to text before a model may see it."""
