"""What a test run means: results read, compared, clustered, narrated, and held at a gate."""
