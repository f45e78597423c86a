"""The page's words, from where all words are."""

from edge_infer.words.form import KEYS as KEYS
from edge_infer.words.form import Noun as Noun
from edge_infer.words.form import PageWords as PageWords
