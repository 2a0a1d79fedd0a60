/* CRC-32, for the rows of n-grams, and SHA-256, for the files of a bundle. */
#include "base.h"

/* The CRC of each byte: polynomial 0x04C11DB7, reflected. */
static const uint32_t crc_of[256] = {
    0x00000000, 0x77073096, 0xEE0E612C, 0x990951BA, 0x076DC419, 0x706AF48F, 0xE963A535, 0x9E6495A3,
    0x0EDB8832, 0x79DCB8A4, 0xE0D5E91E, 0x97D2D988, 0x09B64C2B, 0x7EB17CBD, 0xE7B82D07, 0x90BF1D91,
    0x1DB71064, 0x6AB020F2, 0xF3B97148, 0x84BE41DE, 0x1ADAD47D, 0x6DDDE4EB, 0xF4D4B551, 0x83D385C7,
    0x136C9856, 0x646BA8C0, 0xFD62F97A, 0x8A65C9EC, 0x14015C4F, 0x63066CD9, 0xFA0F3D63, 0x8D080DF5,
    0x3B6E20C8, 0x4C69105E, 0xD56041E4, 0xA2677172, 0x3C03E4D1, 0x4B04D447, 0xD20D85FD, 0xA50AB56B,
    0x35B5A8FA, 0x42B2986C, 0xDBBBC9D6, 0xACBCF940, 0x32D86CE3, 0x45DF5C75, 0xDCD60DCF, 0xABD13D59,
    0x26D930AC, 0x51DE003A, 0xC8D75180, 0xBFD06116, 0x21B4F4B5, 0x56B3C423, 0xCFBA9599, 0xB8BDA50F,
    0x2802B89E, 0x5F058808, 0xC60CD9B2, 0xB10BE924, 0x2F6F7C87, 0x58684C11, 0xC1611DAB, 0xB6662D3D,
    0x76DC4190, 0x01DB7106, 0x98D220BC, 0xEFD5102A, 0x71B18589, 0x06B6B51F, 0x9FBFE4A5, 0xE8B8D433,
    0x7807C9A2, 0x0F00F934, 0x9609A88E, 0xE10E9818, 0x7F6A0DBB, 0x086D3D2D, 0x91646C97, 0xE6635C01,
    0x6B6B51F4, 0x1C6C6162, 0x856530D8, 0xF262004E, 0x6C0695ED, 0x1B01A57B, 0x8208F4C1, 0xF50FC457,
    0x65B0D9C6, 0x12B7E950, 0x8BBEB8EA, 0xFCB9887C, 0x62DD1DDF, 0x15DA2D49, 0x8CD37CF3, 0xFBD44C65,
    0x4DB26158, 0x3AB551CE, 0xA3BC0074, 0xD4BB30E2, 0x4ADFA541, 0x3DD895D7, 0xA4D1C46D, 0xD3D6F4FB,
    0x4369E96A, 0x346ED9FC, 0xAD678846, 0xDA60B8D0, 0x44042D73, 0x33031DE5, 0xAA0A4C5F, 0xDD0D7CC9,
    0x5005713C, 0x270241AA, 0xBE0B1010, 0xC90C2086, 0x5768B525, 0x206F85B3, 0xB966D409, 0xCE61E49F,
    0x5EDEF90E, 0x29D9C998, 0xB0D09822, 0xC7D7A8B4, 0x59B33D17, 0x2EB40D81, 0xB7BD5C3B, 0xC0BA6CAD,
    0xEDB88320, 0x9ABFB3B6, 0x03B6E20C, 0x74B1D29A, 0xEAD54739, 0x9DD277AF, 0x04DB2615, 0x73DC1683,
    0xE3630B12, 0x94643B84, 0x0D6D6A3E, 0x7A6A5AA8, 0xE40ECF0B, 0x9309FF9D, 0x0A00AE27, 0x7D079EB1,
    0xF00F9344, 0x8708A3D2, 0x1E01F268, 0x6906C2FE, 0xF762575D, 0x806567CB, 0x196C3671, 0x6E6B06E7,
    0xFED41B76, 0x89D32BE0, 0x10DA7A5A, 0x67DD4ACC, 0xF9B9DF6F, 0x8EBEEFF9, 0x17B7BE43, 0x60B08ED5,
    0xD6D6A3E8, 0xA1D1937E, 0x38D8C2C4, 0x4FDFF252, 0xD1BB67F1, 0xA6BC5767, 0x3FB506DD, 0x48B2364B,
    0xD80D2BDA, 0xAF0A1B4C, 0x36034AF6, 0x41047A60, 0xDF60EFC3, 0xA867DF55, 0x316E8EEF, 0x4669BE79,
    0xCB61B38C, 0xBC66831A, 0x256FD2A0, 0x5268E236, 0xCC0C7795, 0xBB0B4703, 0x220216B9, 0x5505262F,
    0xC5BA3BBE, 0xB2BD0B28, 0x2BB45A92, 0x5CB36A04, 0xC2D7FFA7, 0xB5D0CF31, 0x2CD99E8B, 0x5BDEAE1D,
    0x9B64C2B0, 0xEC63F226, 0x756AA39C, 0x026D930A, 0x9C0906A9, 0xEB0E363F, 0x72076785, 0x05005713,
    0x95BF4A82, 0xE2B87A14, 0x7BB12BAE, 0x0CB61B38, 0x92D28E9B, 0xE5D5BE0D, 0x7CDCEFB7, 0x0BDBDF21,
    0x86D3D2D4, 0xF1D4E242, 0x68DDB3F8, 0x1FDA836E, 0x81BE16CD, 0xF6B9265B, 0x6FB077E1, 0x18B74777,
    0x88085AE6, 0xFF0F6A70, 0x66063BCA, 0x11010B5C, 0x8F659EFF, 0xF862AE69, 0x616BFFD3, 0x166CCF45,
    0xA00AE278, 0xD70DD2EE, 0x4E048354, 0x3903B3C2, 0xA7672661, 0xD06016F7, 0x4969474D, 0x3E6E77DB,
    0xAED16A4A, 0xD9D65ADC, 0x40DF0B66, 0x37D83BF0, 0xA9BCAE53, 0xDEBB9EC5, 0x47B2CF7F, 0x30B5FFE9,
    0xBDBDF21C, 0xCABAC28A, 0x53B39330, 0x24B4A3A6, 0xBAD03605, 0xCDD70693, 0x54DE5729, 0x23D967BF,
    0xB3667A2E, 0xC4614AB8, 0x5D681B02, 0x2A6F2B94, 0xB40BBE37, 0xC30C8EA1, 0x5A05DF1B, 0x2D02EF8D};

uint32_t ta_crc32(uint32_t start, const void *data, size_t size) {
  const uint8_t *bytes = data;
  uint32_t crc = ~start;
  for (size_t at = 0; at < size; at++) crc = crc >> 8 ^ crc_of[(crc ^ bytes[at]) & 0xFF];
  return ~crc;
}

/* SHA-256 after FIPS 180-4: the first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2};

static uint32_t rotated(uint32_t x, int bits) { return x >> bits | x << (32 - bits); }

static uint32_t big_endian(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* One round; the caller turns the names of the eight words instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, word, constant)                                                         \
  do {                                                                                                        \
    h += (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (g ^ (e & (f ^ g))) + (constant) + (word);       \
    d += h;                                                                                                   \
    h += (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) | (c & (a | b)));                       \
  } while (0)

/* The words of the message from 16 on, in a ring of 16. */
static uint32_t next_word(uint32_t w[16], size_t i) {
  uint32_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
  w[i] += (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3) + w[(i + 9) % 16] + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
  return w[i];
}

/* Mixes blocks of 64 bytes into the state. */
static void mix_plain(uint32_t state[8], const uint8_t *block, size_t blocks) {
  uint32_t w[16];
  for (; blocks > 0; blocks--, block += 64) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t i = 0; i < 16; i++) w[i] = big_endian(block + 4 * i);
    for (size_t round = 0; round < 64; round += 8) {
      const uint32_t *k = round_constants + round;
      size_t at = round % 16;
      if (round >= 16) {
        for (size_t i = at; i < at + 8; i++) next_word(w, i);
      }
      ROUND(a, b, c, d, e, f, g, h, w[at], k[0]);
      ROUND(h, a, b, c, d, e, f, g, w[at + 1], k[1]);
      ROUND(g, h, a, b, c, d, e, f, w[at + 2], k[2]);
      ROUND(f, g, h, a, b, c, d, e, w[at + 3], k[3]);
      ROUND(e, f, g, h, a, b, c, d, w[at + 4], k[4]);
      ROUND(d, e, f, g, h, a, b, c, w[at + 5], k[5]);
      ROUND(c, d, e, f, g, h, a, b, w[at + 6], k[6]);
      ROUND(b, c, d, e, f, g, h, a, w[at + 7], k[7]);
    }
    uint32_t mixed[8] = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; i++) state[i] += mixed[i];
  }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

/* Four rounds with words of `m0`, which becomes the words of four rounds later. */
#define FOUR_ROUNDS(m0, m1, m2, m3, number)                                                                       \
  do {                                                                                                            \
    __m128i sums = _mm_add_epi32(m0, _mm_loadu_si128((const __m128i *)(const void *)(round_constants + number))); \
    cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sums);                                                               \
    abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sums, 0x0E));                                      \
    m0 = _mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), _mm_alignr_epi8(m3, m2, 4));                                 \
    m0 = _mm_sha256msg2_epu32(m0, m3);                                                                            \
  } while (0)

/* The same with the processor's instructions for SHA-256, ten times as fast: a bundle may have megabytes. */
__attribute__((target("sha,sse4.1"))) static void mix_sha(uint32_t state[8], const uint8_t *block, size_t blocks) {
  const __m128i order = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
  __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
  __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
  for (; blocks > 0; blocks--, block += 64) {
    const __m128i *at = (const __m128i *)(const void *)block;
    __m128i start = abef, other_start = cdgh;
    __m128i m0 = _mm_shuffle_epi8(_mm_loadu_si128(at), order);
    __m128i m1 = _mm_shuffle_epi8(_mm_loadu_si128(at + 1), order);
    __m128i m2 = _mm_shuffle_epi8(_mm_loadu_si128(at + 2), order);
    __m128i m3 = _mm_shuffle_epi8(_mm_loadu_si128(at + 3), order);
    for (size_t round = 0; round < 64; round += 16) {
      FOUR_ROUNDS(m0, m1, m2, m3, round);
      FOUR_ROUNDS(m1, m2, m3, m0, round + 4);
      FOUR_ROUNDS(m2, m3, m0, m1, round + 8);
      FOUR_ROUNDS(m3, m0, m1, m2, round + 12);
    }
    abef = _mm_add_epi32(abef, start);
    cdgh = _mm_add_epi32(cdgh, other_start);
  }
  uint32_t words[8];
  _mm_storeu_si128((__m128i *)(void *)words, abef);
  _mm_storeu_si128((__m128i *)(void *)(words + 4), cdgh);
  static const uint8_t places[8] = {3, 2, 7, 6, 1, 0, 5, 4};
  for (size_t i = 0; i < 8; i++) state[i] = words[places[i]];
}

static int has_sha(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

static void mix(uint32_t state[8], const uint8_t *block, size_t blocks) {
  if (blocks > 64 && has_sha()) { /* asking the processor takes long in a virtual machine */
    mix_sha(state, block, blocks);
  } else {
    mix_plain(state, block, blocks);
  }
}
#else
static void mix(uint32_t state[8], const uint8_t *block, size_t blocks) { mix_plain(state, block, blocks); }
#endif

void ta_sha256(const void *data, size_t size, uint8_t digest[32]) {
  uint32_t state[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  const uint8_t *bytes = data;
  size_t whole = size / 64 * 64, rest = size - whole;
  mix(state, bytes, whole / 64);
  /* The last bytes, a bit that is set, zeros, and the number of bits: one block or two. */
  uint8_t end[128] = {0};
  size_t end_size = rest < 56 ? 64 : 128;
  if (rest) ta_copy(end, bytes + whole, rest);
  end[rest] = 0x80;
  uint64_t bits = (uint64_t)size * 8;
  for (size_t i = 0; i < 8; i++) end[end_size - 1 - i] = (uint8_t)(bits >> (8 * i));
  mix(state, end, end_size / 64);
  for (size_t i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
