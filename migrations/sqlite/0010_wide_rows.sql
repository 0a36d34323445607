-- Nothing: PostgreSQL alone moves wide rows out of their page.
SELECT 1;
