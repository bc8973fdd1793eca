-- The server takes a description apart itself and gives the words along: the expression's
-- tables took longer to build, for each insert, than the rest of a row. It stays for rows
-- that are inserted without, and says the same.
ALTER TABLE feedback MODIFY COLUMN IF EXISTS words Array(String) DEFAULT extractAll(lowerUTF8(normalizeUTF8NFKC(description)), '[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{So}]|[^\\p{P}\\p{S}\\p{Z}\\p{C}\\p{Han}\\p{Hiragana}\\p{Katakana}]+');
