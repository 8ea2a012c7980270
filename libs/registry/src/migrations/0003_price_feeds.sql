-- When the reading of each provider's price feed was last begun: the lease of whoever reads it.
create table registry.price_feeds (
  provider text primary key,
  tried_at timestamptz not null
);
