"""Pure decisions about parcels, interceptions, claims and money; standard library only."""
