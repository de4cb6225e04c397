"""A ministry that takes notices; how it is told stands in contracts/foreign, and what lives here is its sandbox."""
