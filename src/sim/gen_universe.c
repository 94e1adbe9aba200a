/* gen_universe.c - what is traded: series like the exchange's own, their events, markets, ticks and chances.
 */
#include <stdlib.h>

#include "clock.h"
#include "gen_private.h"

#define DAY_S INT64_C(86400)
#define ET_S INT64_C(18000) /* tickers speak Eastern Time; five hours, summer or not */
#define WEIGHT_MIN 2048u
#define WEIGHT_MAX (1u << 21)

const struct gen_structure gen_structures[GEN_STRUCTURES] = {
    {"linear_cent", 1, {{0, 10000, 100}}},
    {"tapered_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 100}, {9000, 10000, 10}}},
    {"center_centi_edge_centi_cent", 1, {{0, 10000, 1}}},
    {"deci_cent", 1, {{0, 10000, 10}}},
    {"center_whole_edge_half_cent", 3, {{0, 1000, 50}, {1000, 9000, 100}, {9000, 10000, 50}}},
    {"center_whole_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 100}, {9000, 10000, 20}}},
    {"center_half_edge_half_cent", 3, {{0, 1000, 50}, {1000, 9000, 50}, {9000, 10000, 50}}},
    {"center_half_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 50}, {9000, 10000, 20}}},
    {"center_half_edge_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 50}, {9000, 10000, 10}}},
    {"center_quint_edge_quint_cent", 3, {{0, 1000, 20}, {1000, 9000, 20}, {9000, 10000, 20}}},
    {"center_quint_edge_deci_cent", 3, {{0, 1000, 10}, {1000, 9000, 20}, {9000, 10000, 10}}},
    {"center_deci_edge_centi_cent", 3, {{0, 100, 1}, {100, 9900, 10}, {9900, 10000, 1}}},
    {"banded_centi_cent", 3, {{0, 500, 1}, {500, 9500, 50}, {9500, 10000, 1}}},
    {"", 1, {{0, 10000, 10}}},
};

enum naming { BY_QUARTER, BY_TEAMS, BY_TEMPERATURE, BY_RATE, BY_VALUE, BY_WORD, BY_DAY };

static const struct series {
    const char *names[4]; /* turn by turn; NULL ends */
    uint8_t naming, markets, outcomes, structure,
        calm; /* calm: a step of the chances moves one by 1/2^calm */
    uint8_t team_set;
} series_table[] = {
    {{"KXBTC15M", "KXETH15M", "KXSOL15M", "KXXRP15M"}, BY_QUARTER, 1, 2, 1, 5, 0},
    {{"KXNFLGAME", NULL}, BY_TEAMS, 2, 2, 0, 6, 0},
    {{"KXHIGHNY", "KXHIGHCHI", "KXHIGHMIA", "KXHIGHLAX"}, BY_TEMPERATURE, 6, 6, 0, 6, 0},
    {{"KXFEDDECISION", NULL}, BY_RATE, 5, 5, 2, 8, 0},
    {{"KXBTCD", NULL}, BY_VALUE, 10, 11, 3, 5, 0},
    {{"KXNBAGAME", NULL}, BY_TEAMS, 2, 2, 4, 6, 1},
    {{"KXCPIYOY", NULL}, BY_VALUE, 6, 7, 5, 8, 1},
    {{"KXNHLGAME", NULL}, BY_TEAMS, 2, 2, 6, 6, 2},
    {{"KXINXD", NULL}, BY_VALUE, 8, 9, 7, 6, 2},
    {{"KXATPMATCH", NULL}, BY_TEAMS, 2, 2, 8, 5, 3},
    {{"KXETHD", NULL}, BY_VALUE, 10, 11, 9, 5, 3},
    {{"KXRAINNYC", "KXRAINSEA", "KXSNOWCHI", "KXSNOWDEN"}, BY_DAY, 1, 2, 10, 7, 0},
    {{"KXNEXTTEAMNBA", NULL}, BY_WORD, 8, 9, 11, 8, 1},
    {{"KXGASAAA", NULL}, BY_VALUE, 6, 7, 12, 8, 4},
    {{"KXTSAW", NULL}, BY_VALUE, 5, 6, 13, 8, 5},
    {{"KXNCAAFGAME", NULL}, BY_TEAMS, 2, 2, 0, 6, 4},
};
#define SERIES (sizeof series_table / sizeof series_table[0])
#define SERIES_QUARTER 0u
#define SERIES_GAMES 1u

#define TEAMS 16u
static const struct team {
    char code[6];
    const char *name;
} teams[5][TEAMS] = {
    {{"BUF", "Buffalo"},
     {"NE", "New England"},
     {"KC", "Kansas City"},
     {"DEN", "Denver"},
     {"PHI", "Philadelphia"},
     {"DAL", "Dallas"},
     {"GB", "Green Bay"},
     {"CHI", "Chicago"},
     {"SF", "San Francisco"},
     {"SEA", "Seattle"},
     {"BAL", "Baltimore"},
     {"PIT", "Pittsburgh"},
     {"MIA", "Miami"},
     {"NYJ", "New York J"},
     {"DET", "Detroit"},
     {"MIN", "Minnesota"}},
    {{"LAL", "Los Angeles L"},
     {"BOS", "Boston"},
     {"GSW", "Golden State"},
     {"PHX", "Phoenix"},
     {"DEN", "Denver"},
     {"OKC", "Oklahoma City"},
     {"MIA", "Miami"},
     {"NYK", "New York"},
     {"CLE", "Cleveland"},
     {"MIL", "Milwaukee"},
     {"DAL", "Dallas"},
     {"MIN", "Minnesota"},
     {"ORL", "Orlando"},
     {"ATL", "Atlanta"},
     {"SAC", "Sacramento"},
     {"HOU", "Houston"}},
    {{"BOS", "Boston"},
     {"TOR", "Toronto"},
     {"EDM", "Edmonton"},
     {"CGY", "Calgary"},
     {"COL", "Colorado"},
     {"DAL", "Dallas"},
     {"FLA", "Florida"},
     {"TBL", "Tampa Bay"},
     {"NYR", "New York R"},
     {"NJD", "New Jersey"},
     {"VGK", "Vegas"},
     {"LAK", "Los Angeles"},
     {"WPG", "Winnipeg"},
     {"MIN", "Minnesota"},
     {"CAR", "Carolina"},
     {"WSH", "Washington"}},
    {{"ALC", "Alcott"},
     {"BER", "Berger"},
     {"CAS", "Castel"},
     {"DUM", "Dumont"},
     {"ERI", "Eriksen"},
     {"FOR", "Forte"},
     {"GAL", "Gallo"},
     {"HOR", "Horvat"},
     {"IVA", "Ivanek"},
     {"JOH", "Johanson"},
     {"KRA", "Kramer"},
     {"LOP", "Lopes"},
     {"MUR", "Murakami"},
     {"NOV", "Novotny"},
     {"OKA", "Okafor"},
     {"PET", "Petrescu"}},
    {{"OSU", "Ohio St."},
     {"MICH", "Michigan"},
     {"ALA", "Alabama"},
     {"AUB", "Auburn"},
     {"UGA", "Georgia"},
     {"GT", "Georgia Tech"},
     {"TEX", "Texas"},
     {"TXAM", "Texas A&M"},
     {"ORE", "Oregon"},
     {"WASH", "Washington"},
     {"ND", "Notre Dame"},
     {"STAN", "Stanford"},
     {"FSU", "Florida St."},
     {"UF", "Florida"},
     {"LSU", "LSU"},
     {"OKLA", "Oklahoma"}},
};

static const struct value {
    const char *title, *unit_before, *unit_after;
    uint32_t base, step, drift; /* in 1/100 */
    uint32_t period_s;
    bool nines; /* strikes end in .99, as those of prices do */
} values[] = {
    {"Bitcoin price", "$", "", 8500000, 25000, 40, 3600, true},
    {"CPI inflation over the year", "", "%", 240, 10, 12, 2592000, false},
    {"S&P close price", "", "", 712500, 2500, 30, 86400, true},
    {"Ethereum price", "$", "", 310000, 2000, 40, 3600, true},
    {"US gas price", "$", "", 312, 5, 20, 86400, false},
    {"TSA check-ins in millions", "", "", 262, 6, 10, 604800, false},
};

static const struct {
    const char *code, *words;
} rates[5] = {{"H0", "Fed maintains rate"},
              {"C25", "Cut 25bps"},
              {"H25", "Hike 25bps"},
              {"C26", "Cut >25bps"},
              {"H26", "Hike >25bps"}};
static const char *const cities[4] = {"NYC", "Chicago", "Miami", "Los Angeles"};
static const char *const skies[4] = {"rain in NYC", "rain in Seattle", "snow in Chicago", "snow in Denver"};
static const char *const months[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static unsigned
names_of(const struct series *series)
{
    unsigned count = 1;

    while (count < 4 && series->names[count] != NULL)
        count++;
    return count;
}

static const char *
name_of(const struct gen_event *event)
{
    const struct series *series = &series_table[event->series];

    return series->names[event->turn % names_of(series)];
}

char *
gen_string(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

char *
gen_decimal(char *at, uint64_t value)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *
put2(char *at, unsigned value)
{
    *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

static void
civil(int64_t second, unsigned *year, unsigned *month, unsigned *day)
{
    char text[16];

    kdpi_day_format(text, (int32_t)(second / DAY_S));
    *year = (unsigned)(text[0] - '0') * 1000 + (unsigned)(text[1] - '0') * 100 +
            (unsigned)(text[2] - '0') * 10 + (unsigned)(text[3] - '0');
    *month = (unsigned)(text[5] - '0') * 10 + (unsigned)(text[6] - '0');
    *day = (unsigned)(text[8] - '0') * 10 + (unsigned)(text[9] - '0');
}

/* "26NOV22" of a second in Eastern Time; clock: 0 no more, 1 the hour, 2 hour and minute */
static char *
put_date(char *at, int64_t second, unsigned clock)
{
    unsigned year, month, day;

    second -= ET_S;
    civil(second, &year, &month, &day);
    at = put2(at, year % 100);
    for (unsigned i = 0; i < 3; i++)
        *at++ = (char)(months[month - 1][i] & ~0x20);
    at = put2(at, day);
    if (clock >= 1)
        at = put2(at, (unsigned)(second % DAY_S / 3600));
    if (clock == 2)
        at = put2(at, (unsigned)(second % 3600 / 60));
    return at;
}

/* "Nov 22, 2026" */
static char *
put_long_date(char *at, int64_t second)
{
    unsigned year, month, day;

    civil(second - ET_S, &year, &month, &day);
    at = gen_string(at, months[month - 1]);
    *at++ = ' ';
    at = gen_decimal(at, day);
    at = gen_string(at, ", ");
    return gen_decimal(at, year);
}

/* A value in 1/100: "85249.99", "2.4", "312". */
static char *
put_hundredths(char *at, uint32_t value)
{
    at = gen_decimal(at, value / 100);
    if (value % 100 != 0) {
        *at++ = '.';
        *at++ = (char)('0' + value % 100 / 10);
        if (value % 10 != 0)
            *at++ = (char)('0' + value % 10);
    }
    return at;
}

static uint32_t
strike_of(const struct gen_event *event, unsigned strike)
{
    const struct value *value = &values[series_table[event->series].team_set];
    uint32_t half = series_table[event->series].markets / 2u;

    return value->base + value->step * (strike + event->turn % 16 * value->drift / 40) - value->step * half -
           (value->nines ? 1u : 0u);
}

static int64_t
close_of(const struct kdp_gen *gen, unsigned series, uint32_t turn)
{
    int64_t start_s = gen->config.start_ns / KDP_NS_PER_S;
    const struct series *s = &series_table[series];
    uint32_t lap = turn / names_of(s);
    unsigned year, month, day;

    switch (s->naming) {
    case BY_QUARTER:
        return (start_s / 900 + 1 + lap) * 900;
    case BY_TEAMS: /* eight games a day, 20:00 ET and later */
        return (start_s / DAY_S + lap / (TEAMS / 2)) * DAY_S + 90000 + 1800 * (lap % (TEAMS / 2));
    case BY_RATE: /* about the middle of each month from the next one on */
        civil(start_s, &year, &month, &day);
        return (start_s / DAY_S + 45 - day + (int64_t)lap * 3044 / 100) * DAY_S + 68400;
    case BY_VALUE: {
        int64_t period = values[s->team_set].period_s;

        return (start_s / period + 1 + lap) * period + (period > 3600 ? 75600 : 0);
    }
    case BY_WORD:
        return (start_s / DAY_S + 200 + lap) * DAY_S + 54000;
    default:
        return (start_s / DAY_S + lap) * DAY_S + 104400;
    }
}

/* Teams of a game: each plays once a day, against another one every day. */
static void
teams_of(const struct gen_event *event, const struct team **a, const struct team **b)
{
    const struct team *set = teams[series_table[event->series].team_set];
    uint32_t day = event->turn / (TEAMS / 2), game = event->turn % (TEAMS / 2);
    uint32_t home = (2 * game + day) % TEAMS, away = (2 * game + 1 + day) % TEAMS;

    *a = &set[away];
    *b = &set[home];
}

char *
gen_put_series(const struct gen_event *event, char *at)
{
    return gen_string(at, name_of(event));
}

char *
gen_put_event_ticker(const struct kdp_gen *gen, const struct gen_event *event, char *at)
{
    const struct series *series = &series_table[event->series];
    const struct team *a, *b;

    (void)gen;
    at = gen_string(at, name_of(event));
    *at++ = '-';
    switch (series->naming) {
    case BY_QUARTER:
        return put_date(at, event->close_s, 2);
    case BY_VALUE:
        return put_date(at, event->close_s, values[series->team_set].period_s == 3600 ? 1 : 0);
    case BY_TEAMS:
        teams_of(event, &a, &b);
        at = put_date(at, event->close_s - 36000, 0);
        return gen_string(gen_string(at, a->code), b->code);
    case BY_WORD:
        at = put_date(at, event->close_s, 0) - 2;
        *at++ = 'P';
        return gen_decimal(at, event->turn + 1);
    case BY_RATE:
        return put_date(at, event->close_s, 0) - 2; /* the month will do */
    default:                                        /* closes at midnight: the day before */
        return put_date(at, event->close_s - DAY_S / 2, 0);
    }
}

static char *
put_market_suffix(const struct kdp_gen *gen, const struct gen_event *event, unsigned strike, char *at)
{
    const struct series *series = &series_table[event->series];
    const struct team *a, *b;
    uint32_t base;

    (void)gen;
    *at++ = '-';
    switch (series->naming) {
    case BY_QUARTER:
        return put2(at, (unsigned)(event->close_s % 3600 / 60));
    case BY_TEAMS:
        teams_of(event, &a, &b);
        return gen_string(at, strike == 0 ? a->code : b->code);
    case BY_TEMPERATURE:
        base = 47 + event->turn % 4 * 9 + event->turn / 4 % 5;
        if (strike == 0 || strike == 5) {
            *at++ = 'T';
            return gen_decimal(at, strike == 0 ? base : base + 7);
        }
        *at++ = 'B';
        return gen_string(gen_decimal(at, base + 2 * strike - 2), ".5");
    case BY_RATE:
        return gen_string(at, rates[strike].code);
    case BY_VALUE:
        *at++ = 'T';
        return put_hundredths(at, strike_of(event, strike));
    case BY_WORD:
        return gen_string(at, teams[series->team_set][(strike + event->turn) % TEAMS].code);
    default:
        return gen_string(at, "T0");
    }
}

char *
gen_put_event_title(const struct kdp_gen *gen, const struct gen_event *event, char *at)
{
    const struct series *series = &series_table[event->series];
    const struct team *a, *b;
    unsigned which = event->turn % names_of(series);

    (void)gen;
    switch (series->naming) {
    case BY_QUARTER:
        at = gen_string(at, (const char *[]){"BTC", "ETH", "SOL", "XRP"}[which]);
        return gen_string(at, " price up in next 15 mins?");
    case BY_TEAMS:
        teams_of(event, &a, &b);
        at = gen_string(gen_string(at, a->name), " at ");
        return gen_string(at, b->name);
    case BY_TEMPERATURE:
        at = gen_string(gen_string(at, "Highest temperature in "), cities[which]);
        return put_long_date(gen_string(at, " on "), event->close_s - DAY_S / 2);
    case BY_RATE:
        return put_long_date(gen_string(at, "Fed decision of "), event->close_s);
    case BY_VALUE:
        at = gen_string(gen_string(at, values[series->team_set].title), " on ");
        return put_long_date(at, event->close_s);
    case BY_WORD:
        return gen_decimal(gen_string(at, "Next team of free agent no. "), event->turn + 1);
    default:
        at = gen_string(gen_string(at, "Will it "), skies[which]);
        return put_long_date(gen_string(at, " on "), event->close_s - DAY_S / 2);
    }
}

char *
gen_put_market_title(const struct kdp_gen *gen, const struct gen_market *market, char *at)
{
    const struct gen_event *event = &gen->events[market->event];

    at = gen_put_event_title(gen, event, at);
    if (series_table[event->series].markets > 1 && at[-1] != '?') {
        at = gen_string(at, ": ");
        at = gen_put_sub_title(gen, market, at);
        *at++ = '?';
    }
    return at;
}

char *
gen_put_sub_title(const struct kdp_gen *gen, const struct gen_market *market, char *at)
{
    const struct gen_event *event = &gen->events[market->event];
    const struct series *series = &series_table[event->series];
    const struct team *a, *b;
    uint32_t base;

    switch (series->naming) {
    case BY_TEAMS:
        teams_of(event, &a, &b);
        return gen_string(at, market->strike == 0 ? a->name : b->name);
    case BY_TEMPERATURE:
        base = 47 + event->turn % 4 * 9 + event->turn / 4 % 5;
        if (market->strike == 0)
            return gen_string(gen_decimal(at, base - 1), "\xc2\xb0 or below");
        if (market->strike == 5)
            return gen_string(gen_decimal(at, base + 8), "\xc2\xb0 or above");
        at = gen_string(gen_decimal(at, base + 2u * market->strike - 2), "\xc2\xb0 to ");
        return gen_string(gen_decimal(at, base + 2u * market->strike - 1), "\xc2\xb0");
    case BY_RATE:
        return gen_string(at, rates[market->strike].words);
    case BY_VALUE:
        at = gen_string(at, values[series->team_set].unit_before);
        at =
            put_hundredths(at, strike_of(event, market->strike) + (values[series->team_set].nines ? 1u : 0u));
        return gen_string(gen_string(at, values[series->team_set].unit_after), " or above");
    case BY_WORD:
        return gen_string(at, teams[series->team_set][(market->strike + event->turn) % TEAMS].name);
    default:
        return gen_string(at, "Yes");
    }
}

char *
gen_put_strike(const struct kdp_gen *gen, const struct gen_market *market, char *at)
{
    const struct gen_event *event = &gen->events[market->event];
    const struct series *series = &series_table[event->series];
    uint32_t base;

    switch (series->naming) {
    case BY_TEMPERATURE:
        base = 47 + event->turn % 4 * 9 + event->turn / 4 % 5;
        if (market->strike == 0)
            return gen_decimal(gen_string(at, "\"strike_type\":\"less\",\"cap_strike\":"), base);
        if (market->strike == 5)
            return gen_decimal(gen_string(at, "\"strike_type\":\"greater\",\"floor_strike\":"), base + 7);
        at = gen_decimal(gen_string(at, "\"strike_type\":\"between\",\"floor_strike\":"),
                         base + 2u * market->strike - 2);
        return gen_decimal(gen_string(at, ",\"cap_strike\":"), base + 2u * market->strike - 1);
    case BY_VALUE:
        return put_hundredths(gen_string(at, "\"strike_type\":\"greater\",\"floor_strike\":"),
                              strike_of(event, market->strike));
    case BY_DAY:
        return gen_string(at, "\"strike_type\":\"greater\",\"floor_strike\":0");
    default:
        return gen_string(at, "\"strike_type\":\"custom\",\"custom_strike\":{\"Word\":\"it\"}");
    }
}

bool
gen_event_exclusive(const struct gen_event *event)
{
    unsigned naming = series_table[event->series].naming;

    return naming != BY_VALUE && naming != BY_QUARTER && naming != BY_DAY;
}

bool
gen_event_is_timed(const struct gen_event *event)
{
    return series_table[event->series].naming == BY_QUARTER;
}

static const struct gen_band *
band_of(uint8_t structure, int32_t price_e4)
{
    const struct gen_structure *s = &gen_structures[structure];
    unsigned i = 0;

    while (i + 1 < s->bands && price_e4 > s->band[i].end_e4)
        i++;
    return &s->band[i];
}

int32_t
gen_tick_floor(uint8_t structure, int32_t price_e4)
{
    const struct gen_band *band = band_of(structure, price_e4);

    if (price_e4 <= 0)
        return 0;
    return band->start_e4 + (price_e4 - band->start_e4) / band->step_e4 * band->step_e4;
}

int32_t
gen_tick_below(uint8_t structure, int32_t price_e4)
{
    return price_e4 <= 1 ? 0 : gen_tick_floor(structure, price_e4 - 1);
}

/* The chances: a peak somewhere, halving on both sides, nothing impossible. */
static void
set_chances(struct kdp_gen *gen, struct gen_event *event)
{
    unsigned naming = series_table[event->series].naming;
    unsigned peak = naming == BY_RATE ? 0 : event->outcomes / 3u + gen_below(gen, event->outcomes / 3u + 1);

    event->sum = 0;
    for (unsigned i = 0; i < event->outcomes; i++) {
        unsigned far = i > peak ? i - peak : peak - i;
        uint32_t weight = 300000u >> (event->outcomes <= 2 ? 0 : naming == BY_RATE ? 2 * far : far);

        weight += weight / 512 * gen_below(gen, 256);
        event->weight[i] = weight < 2 * WEIGHT_MIN ? 2 * WEIGHT_MIN : weight;
        event->sum += event->weight[i];
    }
}

void
gen_fair_step(struct kdp_gen *gen, struct gen_event *event)
{
    unsigned which = gen_below(gen, event->outcomes);
    uint32_t old = event->weight[which], step = (old >> series_table[event->series].calm) + 1;
    uint32_t new = gen_below(gen, 2) != 0 ? old + step : old - step;

    if (new < WEIGHT_MIN || new > WEIGHT_MAX)
        return;
    event->weight[which] = new;
    event->sum += new - old;
}

int32_t
gen_fair(const struct kdp_gen *gen, const struct gen_market *market)
{
    const struct gen_event *event = &gen->events[market->event];
    uint64_t part = 0;
    int32_t fair;

    if (series_table[event->series].naming == BY_VALUE) {
        for (unsigned i = market->strike + 1u; i < event->outcomes; i++)
            part += event->weight[i];
    } else {
        part = event->weight[market->strike];
    }
    fair = (int32_t)(part * 10000 / event->sum);
    return fair < 2 ? 2 : fair > 9998 ? 9998 : fair;
}

uint32_t
gen_outcome(struct kdp_gen *gen, const struct gen_event *event)
{
    uint32_t at = gen_below(gen, event->sum), which = 0;

    while (which + 1 < event->outcomes && at >= event->weight[which])
        at -= event->weight[which++];
    return which;
}

bool
gen_market_won(const struct gen_event *event, const struct gen_market *market, uint32_t outcome)
{
    return series_table[event->series].naming == BY_VALUE ? outcome > market->strike
                                                          : outcome == market->strike;
}

static void
put_uuid(char *at, uint64_t a, uint64_t b)
{
    static const char hex[] = "0123456789abcdef";

    a = (a & ~UINT64_C(0xf000)) | 0x4000;
    b = (b & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    for (unsigned i = 0; i < 32; i++) {
        uint64_t word = i < 16 ? a : b;

        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = hex[word >> (60 - 4 * (i % 16)) & 15];
    }
}

/* Keeps a market's ticker and the two members that begin most of its messages. */
static bool
set_name(struct kdp_gen *gen, struct gen_market *market, const char *ticker, size_t len)
{
    size_t need = 2 * len + 128;
    char *at;

    if (gen->names_size - gen->names_used < need) {
        size_t size = gen->names_size * 2 + need;
        char *grown = realloc(gen->names, size);

        if (grown == NULL)
            return false;
        gen->names = grown;
        gen->names_size = size;
    }
    market->name = (uint32_t)gen->names_used;
    market->ticker_len = (uint16_t)len;
    at = gen->names + gen->names_used;
    memcpy(at, ticker, len);
    at[len] = '\0';
    at += len + 1;
    memcpy(at, "\"market_ticker\":\"", 17);
    memcpy(at + 17, ticker, len);
    memcpy(at + 17 + len, "\",\"market_id\":\"", 15);
    put_uuid(at + 32 + len, gen_random(gen), gen_random(gen));
    at[68 + len] = '"';
    market->ident_len = (uint16_t)(69 + len);
    gen->names_used += len + 1 + market->ident_len;
    return true;
}

/* A series by month has a century of tickers; then games take its place. */
static uint8_t
series_left(const struct kdp_gen *gen, uint8_t series)
{
    return series_table[series].naming == BY_RATE && gen->turns[series] >= 1000 ? SERIES_GAMES : series;
}

uint32_t
gen_event_add(struct kdp_gen *gen, uint8_t wanted, uint32_t markets_max, uint32_t old)
{
    uint8_t series = series_left(gen, wanted);
    const struct series *s = &series_table[series];
    uint32_t count = s->markets < markets_max ? s->markets : markets_max;
    uint32_t index = gen->event_count;
    struct gen_event *event;

    if (index == gen->event_max || gen->market_max - gen->market_count < count)
        return UINT32_MAX;
    event = &gen->events[index];
    *event = (struct gen_event){.first = gen->market_count,
                                .turn = gen->turns[series]++,
                                .series = series,
                                .markets = (uint8_t)count,
                                .outcomes = s->outcomes,
                                .structure = s->structure,
                                .conn = (uint8_t)(index % gen->config.connections)};
    event->close_s = close_of(gen, series, event->turn);
    event->slot = old == UINT32_MAX ? gen->market_count : gen->events[old].slot;
    set_chances(gen, event);
    for (uint32_t i = 0; i < count; i++) {
        struct gen_market *market = &gen->markets[gen->market_count];
        char ticker[128], *end = gen_put_event_ticker(gen, event, ticker);

        *market = (struct gen_market){
            .event = index, .strike = (uint8_t)i, .structure = s->structure, .flags = GEN_ACTIVE};
        end = put_market_suffix(gen, event, i, end);
        if (!set_name(gen, market, ticker, (size_t)(end - ticker))) {
            gen->out_of_memory = true;
            return UINT32_MAX;
        }
        gen->slots[event->slot + i] = gen->market_count++;
    }
    gen->event_count++;
    for (uint32_t i = 0; i < count; i++) {
        struct gen_market *market = &gen->markets[event->first + i];

        gen_book_fill(gen, market, old == UINT32_MAX && event->slot > gen->slot_count / 16);
    }
    return index;
}

uint32_t
gen_combo_add(struct kdp_gen *gen)
{
    static const char hex[] = "0123456789ABCDEF";
    char ticker[80], *at;
    uint64_t a = gen_random(gen), b = gen_random(gen);
    struct gen_market *market;

    if (gen->market_count == gen->market_max)
        return UINT32_MAX;
    market = &gen->markets[gen->market_count];
    *market = (struct gen_market){.structure = 11, .flags = GEN_COMBO};
    at = gen_string(ticker, "KXMVESPORTSMULTIGAMEEXTENDED-S2026");
    for (unsigned i = 0; i < 10; i++)
        *at++ = hex[a >> 4 * i & 15];
    *at++ = '-';
    for (unsigned i = 0; i < 11; i++)
        *at++ = hex[b >> 4 * i & 15];
    if (!set_name(gen, market, ticker, (size_t)(at - ticker))) {
        gen->out_of_memory = true;
        return UINT32_MAX;
    }
    market->last_e4 = (int32_t)(10 + gen_below(gen, 300) * 10);
    return gen->market_count++;
}

/* floor(sqrt(value)) */
static uint64_t
root(uint64_t value)
{
    uint64_t low = 0, high = UINT64_C(1) << 32;

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        if (middle * middle <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Walker's alias table over the slots, Vose's way, in whole numbers: a slot's share is 1/r^1.25 for the r-th
 * event, halved with each step away from the middle of the event's strikes. */
static int
make_alias(struct kdp_gen *gen)
{
    uint32_t n = gen->slot_count, small = 0, large = n;
    uint64_t *weight = malloc(n * sizeof *weight), sum = 0;
    unsigned shift = 0;
    uint32_t *stack = malloc(n * sizeof *stack); /* small ones from the front, large ones from the back */

    gen->alias = malloc(n * sizeof *gen->alias);
    if (weight == NULL || stack == NULL || gen->alias == NULL) {
        free(weight);
        free(stack);
        return -1;
    }
    for (uint32_t i = 0; i < gen->initial_events; i++) {
        const struct gen_event *event = &gen->events[i];
        uint64_t share = (UINT64_C(1) << 44) / ((uint64_t)(i + 2) * root(root((uint64_t)(i + 2) << 32)));

        for (unsigned j = 0; j < event->markets; j++) {
            unsigned far = (unsigned)abs((int)(2 * j + 1) - (int)event->markets) / 2;

            weight[event->slot + j] = (share >> (far > 4 ? 4 : far)) + 1;
            sum += weight[event->slot + j];
        }
    }
    while (sum >> shift >= UINT64_C(1) << 31) /* so that a share shifted by 32 bits fits */
        shift++;
    for (uint32_t i = 0; i < n; i++) {
        weight[i] *= n; /* below sum: small */
        if (weight[i] < sum)
            stack[small++] = i;
        else
            stack[--large] = i;
    }
    while (small > 0 && large < n) {
        uint32_t s = stack[--small], l = stack[large];

        gen->alias[s] = (struct gen_alias){(uint32_t)(((weight[s] >> shift) << 32) / (sum >> shift)), l};
        weight[l] -= sum - weight[s];
        if (weight[l] < sum) {
            large++;
            stack[small++] = l;
        }
    }
    for (; small > 0; small--)
        gen->alias[stack[small - 1]] = (struct gen_alias){UINT32_MAX, stack[small - 1]};
    while (large < n) {
        gen->alias[stack[large]] = (struct gen_alias){UINT32_MAX, stack[large]};
        large++;
    }
    free(weight);
    free(stack);
    return 0;
}

uint32_t
gen_pick(struct kdp_gen *gen)
{
    uint64_t draw = gen_random(gen);
    uint32_t slot = (uint32_t)(((draw >> 32) * gen->slot_count) >> 32);

    if ((uint32_t)draw > gen->alias[slot].limit)
        slot = gen->alias[slot].other;
    return gen->slots[slot];
}

int
gen_universe_open(struct kdp_gen *gen)
{
    uint32_t n = gen->config.markets;

    gen->market_max = n + n / 4 + 4096;
    gen->event_max = n + n / 4 + 4096;
    gen->markets = calloc(gen->market_max, sizeof *gen->markets);
    gen->events = calloc(gen->event_max, sizeof *gen->events);
    gen->slots = calloc(n, sizeof *gen->slots);
    gen->names_size = (size_t)n * 160 + 65536;
    gen->names = malloc(gen->names_size);
    if (gen->markets == NULL || gen->events == NULL || gen->slots == NULL || gen->names == NULL)
        return -1;
    gen->slot_count = n;
    for (uint32_t i = 0; gen->market_count < n; i++) {
        if (gen_event_add(gen, (uint8_t)(i % SERIES), n - gen->market_count, UINT32_MAX) == UINT32_MAX)
            return -1;
        if (i % SERIES == SERIES_QUARTER && gen->quarters < 8 && i / SERIES < 4)
            gen->quarter[gen->quarters++] = i;
    }
    gen->initial_events = gen->event_count;
    return make_alias(gen);
}
