/* asker_body.c - is a body one whole JSON object?  Read 64 bytes at a time as bit masks: of quotes (those behind an odd number
 * of backslashes left out), of what is inside strings, of brackets outside of them. */
#include "asker_private.h"

#include <emmintrin.h>
#include <string.h>

#define BLOCK 64

static uint64_t
bits_of(const char *block, char c)
{
    __m128i want = _mm_set1_epi8(c);
    uint64_t bits = 0;

    for (unsigned i = 0; i < BLOCK / 16; i++) {
        __m128i at = _mm_loadu_si128((const __m128i *)(const void *)(block + (size_t)i * 16));

        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(at, want)) << (i * 16);
    }
    return bits;
}

/* Brackets of both kinds at once: '[' and '{' differ in one bit from each other, and so do ']' and '}'. */
static void
brackets_of(const char *block, uint64_t *opensp, uint64_t *closesp)
{
    __m128i fold = _mm_set1_epi8(0x20), open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');

    *opensp = *closesp = 0;
    for (unsigned i = 0; i < BLOCK / 16; i++) {
        __m128i at = _mm_loadu_si128((const __m128i *)(const void *)(block + (size_t)i * 16));

        at = _mm_or_si128(at, fold);
        *opensp |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(at, open)) << (i * 16);
        *closesp |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(at, close)) << (i * 16);
    }
}

struct state {
    bool in_string, escaped; /* at the end of the block before */
    unsigned depth;
    bool began, done;
};

/* Characters that a backslash takes: those behind an odd one of a run.  Runs are short and rare, so they are walked. */
static uint64_t
escaped_of(uint64_t slashes, bool *escapedp)
{
    uint64_t escaped = *escapedp ? 1 : 0;

    slashes &= ~escaped;
    *escapedp = false;
    while (slashes != 0) {
        unsigned at = (unsigned)__builtin_ctzll(slashes);

        if (at == BLOCK - 1) {
            *escapedp = true;
            break;
        }
        escaped |= UINT64_C(2) << at;
        slashes &= ~(UINT64_C(3) << at);
    }
    return escaped;
}

/* One block, of which the first used bytes count; false: this cannot become a whole object. */
static bool
take_block(struct state *state, const char *block, unsigned used)
{
    uint64_t live = used == BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << used) - 1, escaped, quotes, inside, opens,
             closes, marks;

    escaped = escaped_of(bits_of(block, '\\') & live, &state->escaped);
    quotes = bits_of(block, '"') & live & ~escaped;
    inside = quotes; /* bit i: the number of quotes up to i is odd */
    for (unsigned shift = 1; shift < BLOCK; shift *= 2)
        inside ^= inside << shift;
    if (state->in_string)
        inside = ~inside;
    state->in_string = (inside >> (BLOCK - 1)) != 0;
    brackets_of(block, &opens, &closes);
    opens &= live & ~inside;
    closes &= live & ~inside;
    if (state->began && !state->done && (unsigned)__builtin_popcountll(closes) < state->depth) {
        state->depth += (unsigned)__builtin_popcountll(opens) - (unsigned)__builtin_popcountll(closes);
        return true;
    }
    marks = opens | closes;
    for (; marks != 0; marks &= marks - 1) {
        uint64_t mark = marks & (0 - marks);

        if (state->done)
            return false;
        if ((opens & mark) != 0) {
            state->depth++;
            state->began = true;
        } else if (state->depth == 0) {
            return false;
        } else if (--state->depth == 0) {
            state->done = true;
        }
    }
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool
asker_whole(const char *text, size_t len)
{
    struct state state = {0};
    char last[BLOCK] = {0};
    size_t at = 0;

    while (len > 0 && is_blank(*text))
        text++, len--;
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    /* it begins and ends with the braces of one object, so nothing stands before or behind it */
    if (len < 2 || text[0] != '{' || text[len - 1] != '}')
        return false;
    for (; len - at >= BLOCK; at += BLOCK)
        if (!take_block(&state, text + at, BLOCK))
            return false;
    if (at < len) {
        memcpy(last, text + at, len - at);
        if (!take_block(&state, last, (unsigned)(len - at)))
            return false;
    }
    return state.done && !state.in_string;
}
