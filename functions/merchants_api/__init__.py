"""The merchant itself over HTTP: record, money, settlements, notifications."""
