/* test_sequence.c - one counter per (connection, sid): gaps, repeats, births and rebirths. */
#include "kdp_test.h"
#include "sequence.h"

static struct kdp_lines *lines;
static uint64_t expected;

static struct kdp_sub *
sub(uint16_t line, uint32_t sid)
{
    struct kdp_sub *found;

    if (lines == NULL)
        lines = kdp_lines_open();
    found = kdp_sub_find(lines, line, sid);
    CHECK(found != NULL);
    return found;
}

static enum kdp_seq_verdict
track(uint16_t line, uint32_t sid, uint64_t seq)
{
    struct kdp_sub *found = sub(line, sid);

    return kdp_sub_track(kdp_lines_at(lines, line), found, seq, false, &expected);
}

static void
connect_marked(uint16_t line)
{
    sub(line, 1);
    kdp_lines_at(lines, line)->marked = true;
}

KDP_TEST(counts_per_connection_and_sid)
{
    connect_marked(1);
    connect_marked(2);
    CHECK_INT(track(1, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 2, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(2, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 2), KDP_SEQ_NEXT);
    CHECK_INT(track(2, 1, 2), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 2, 2), KDP_SEQ_NEXT);
}

KDP_TEST(gap_tells_what_was_expected)
{
    connect_marked(1);
    CHECK_INT(track(1, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 5), KDP_SEQ_GAP);
    CHECK_INT(expected, 2);
    CHECK_INT(track(1, 1, 6), KDP_SEQ_NEXT);
}

KDP_TEST(repeat_is_a_duplicate_and_moves_nothing)
{
    connect_marked(1);
    CHECK_INT(track(1, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 2), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 2), KDP_SEQ_DUPLICATE);
    CHECK_INT(track(1, 1, 1), KDP_SEQ_DUPLICATE);
    CHECK_INT(track(1, 1, 3), KDP_SEQ_NEXT);
}

KDP_TEST(first_number_of_a_new_live_sid_must_be_1)
{
    connect_marked(1);
    CHECK_INT(track(1, 7, 3), KDP_SEQ_GAP);
    CHECK_INT(expected, 1);
    sub(2, 1)->announced = true; /* no mark, but its subscribed reply was seen */
    CHECK_INT(track(2, 1, 2), KDP_SEQ_GAP);
}

KDP_TEST(tail_of_a_recording_begins_anywhere)
{
    CHECK_INT(track(1, 1, 4711), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 4712), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 4714), KDP_SEQ_GAP);
}

KDP_TEST(rebirth_is_guessed_only_without_marks)
{
    struct kdp_sub *s;

    CHECK_INT(track(1, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 2), KDP_SEQ_NEXT);
    s = sub(1, 1);
    CHECK_INT(kdp_sub_track(kdp_lines_at(lines, 1), s, 1, true, &expected), KDP_SEQ_RESTART);
    CHECK_INT(track(1, 1, 2), KDP_SEQ_NEXT);
    CHECK_INT(track(1, 1, 3), KDP_SEQ_NEXT);
    sub(1, 1)->announced = true;
    CHECK_INT(track(1, 1, 1), KDP_SEQ_RESTART);
    connect_marked(2);
    CHECK_INT(track(2, 1, 1), KDP_SEQ_NEXT);
    CHECK_INT(track(2, 1, 2), KDP_SEQ_NEXT);
    CHECK_INT(kdp_sub_track(kdp_lines_at(lines, 2), sub(2, 1), 1, true, &expected), KDP_SEQ_DUPLICATE);
}

KDP_TEST(freed_subscriptions_are_reused_and_the_table_is_bounded)
{
    for (uint32_t i = 0; i < KDP_SUBS_MAX; i++)
        CHECK(sub((uint16_t)(i % 300 + 1), i / 300 + 1) != NULL);
    CHECK(kdp_sub_find(lines, 400, 1) == NULL);
    for (uint32_t i = 0; i < KDP_SUBS_MAX; i += 2)
        kdp_sub_free(lines, kdp_sub_find(lines, (uint16_t)(i % 300 + 1), i / 300 + 1));
    for (uint32_t i = 1; i < KDP_SUBS_MAX; i += 2) {
        struct kdp_sub *s = kdp_sub_find(lines, (uint16_t)(i % 300 + 1), i / 300 + 1);

        CHECK(s != NULL && s->line == i % 300 + 1 && s->sid == i / 300 + 1);
    }
    for (uint32_t i = 0; i < KDP_SUBS_MAX / 2; i++)
        CHECK(kdp_sub_find(lines, 500, i + 1) != NULL);
    CHECK(kdp_sub_find(lines, 600, 1) == NULL);
}

KDP_TEST(leg_follows_the_command_whose_reply_names_the_sid)
{
    struct kdp_line *line = kdp_lines_at((lines = kdp_lines_open()), 1);

    CHECK_INT(kdp_line_reply_leg(line, true, 1), KDP_LEG_UNSAID);
    kdp_line_command(line, 1, KDP_LEG_YES);
    kdp_line_command(line, 2, KDP_LEG_NO);
    CHECK_INT(kdp_line_reply_leg(line, true, 1), KDP_LEG_YES);
    CHECK_INT(kdp_line_reply_leg(line, true, 2), KDP_LEG_NO);
    CHECK_INT(kdp_line_reply_leg(line, false, 0), KDP_LEG_NO); /* the last command said */
}
