"""The leader's side: campaign, probe, decide, look at Azure. Ends at a written state and a queued request."""
