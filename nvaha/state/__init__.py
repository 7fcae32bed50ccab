"""What the loops share: a decision made to last, a lease held, the network read into a snapshot."""
