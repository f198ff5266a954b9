"""`forewarn drill`: a site and a gateway of their own, cables that are pulled, and the sum at the end."""
