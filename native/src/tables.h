/* Written by native/tools/tables.py: do not edit. Tables of textapp/text, of Unicode 14. */
#ifndef TA_TABLES_H
#define TA_TABLES_H

#include "base.h"

/* The byte of a code point: its class in 4 bits, its role in normalization in 3, a bit for capitals. */
#define TA_CLASS_SPACE 0u
#define TA_CLASS_LETTER 1u
#define TA_CLASS_DIGIT 2u
#define TA_CLASS_MARK 3u
#define TA_CLASS_APOSTROPHE 4u
#define TA_CLASS_POINT 5u
#define TA_CLASS_UNSPACED 6u
#define TA_CLASS_IGNORABLE 7u
#define TA_CLASS_OTHER 8u
#define TA_CLASS_PUNCTUATION 9u
#define TA_ROLE_FIXED 0u
#define TA_ROLE_DROPPED 1u
#define TA_ROLE_QUOTE 2u
#define TA_ROLE_JOINING 3u
#define TA_ROLE_BASE 4u
#define TA_ROLE_CHANGING 5u
#define TA_CLASS(byte) ((byte) & 15u)
#define TA_ROLE(byte) ((byte) >> 4 & 7u)
#define TA_IS_CAPITAL(byte) ((byte) >> 7)

/* The bits of a word's shape. */
#define TA_SHAPE_FIRST_CAPITAL 1
#define TA_SHAPE_OTHER_CAPITAL 2
#define TA_SHAPE_SMALL 4
#define TA_SHAPE_DIGIT 8
#define TA_SHAPE_MARK 16

#define TA_BERT_BYTES 100u        /* of a word; longer ones are unknown to BERT */
#define TA_TRIE_END 0x20000u
#define TA_FAR_BYTE 8u
#define TA_LONGEST_CHUNK 32u      /* code points that are normalized together */
#define TA_LONGEST_PARTS 18u      /* code points of a decomposition */
#define TA_GROWTH 3u              /* bytes of tokens for each byte of a text, */
#define TA_TOKEN_GROWTH 8u        /* and for each token; */
#define TA_NFKC_GROWTH 10u       /* or so many for each byte of a text, and TA_GROWTH without NFKC */
#define TA_TOKENS_A_BYTE 5u       /* most tokens for each byte of a text, */
#define TA_WORDS_A_BYTE 2u        /* where tokens are words, */
#define TA_UNCHANGED_TOKENS_A_BYTE 1u /* and without NFKC */

/* The byte of each code point of ASCII. */
extern const uint8_t ta_ascii[128];
/* The byte of a code point below TA_TRIE_END, by its bits from 7 on, 4 to 6, and 0 to 3. */
extern const uint8_t ta_trie_first[1024];
extern const uint16_t ta_trie_middle[1768];
extern const uint8_t ta_trie_last[9536];
/* First, last, byte of the code points from TA_TRIE_END on; the others have TA_FAR_BYTE. */
extern const uint32_t ta_far_ranges[12];
/* First, last, step, difference to the lower-case code points. */
extern const int32_t ta_capitals[728];
/* Runs of combining classes: first code point * 256 + class. */
extern const uint32_t ta_rank_runs[483];
/* Canonical decompositions into two code points. Keys are low 16 bits, those below U+10000 first. */
extern const uint16_t ta_pair_keys[1026];
extern const uint16_t ta_pair_firsts[1026];
extern const uint16_t ta_pair_seconds[1026];
/* Numbers of the pairs that compose, sorted by pair. */
extern const uint16_t ta_composites[941];
/* Canonical decompositions into one code point: low 16 bits, and a bit for plane 2. */
extern const uint16_t ta_single_keys[1035];
extern const uint16_t ta_singles[1035];
extern const uint8_t ta_single_beyond[130];
/* Compatibility decompositions into one code point below U+10000. */
extern const uint16_t ta_one_keys[2553];
extern const uint16_t ta_ones[2553];
/* Other compatibility decompositions: places in ta_more_units, where a length comes before UTF-16. */
extern const uint16_t ta_more_keys[1179];
extern const uint16_t ta_mores[1179];
extern const uint16_t ta_more_units[3571];
/* First, last of the Han characters of BERT, in ascending order. */
extern const uint32_t ta_han_ranges[14];
/* Tokens of one code point that end a sentence. */
extern const uint16_t ta_sentence_ends[20];
/* How many keys are below U+10000: of pairs, singles, ones and mores. */
extern const uint16_t ta_planes[4];

#endif
