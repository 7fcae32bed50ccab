"""Whom people are told through: CloudEvents by webhook, Event Grid, Teams, Slack, PagerDuty."""
