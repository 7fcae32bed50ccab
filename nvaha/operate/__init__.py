"""What operators ask and see; HTTP and CLI both show what is made here."""
