"""Whom people are told through: CloudEvents by webhook, Teams, Slack, PagerDuty."""
