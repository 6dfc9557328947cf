"""Several runs side by side: what differs, what it brought, what it cost, and how sure that is."""
