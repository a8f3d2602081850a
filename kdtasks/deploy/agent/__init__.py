"""Keep a device on the version that an alias stands for, and tell the store how it does."""
