"""TextBlob's polarity of each line of standard input, one a line."""

import sys

from textblob import TextBlob

for line in sys.stdin:
    print(TextBlob(line.rstrip("\n")).sentiment.polarity)
