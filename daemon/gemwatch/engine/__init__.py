"""The loops: poll jobs and record results, send deliveries, reload the configuration, maintain the store."""
