-- A place for people: listings, groups, shares, links with guests, and the bin.

-- What a name is ordered by in listings, and the extension in lower case. The program makes both of the name, and fills
-- them in after this step for the names that are there.
ALTER TABLE names ADD COLUMN sort_key TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN extension TEXT NOT NULL DEFAULT '';
CREATE INDEX names_listed ON names (container_id, kind, sort_key, name);
