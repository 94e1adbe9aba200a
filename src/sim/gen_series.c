/* gen_series.c - what is traded, in words: series like the exchange's own, and the tickers and titles of
 * their events. */
#include "clock.h"
#include "gen_private.h"

#define DAY_S INT64_C(86400)
#define ET_S INT64_C(18000) /* tickers speak Eastern Time; five hours, summer or not */

const struct gen_series gen_series_table[GEN_SERIES] = {
    {{"KXBTC15M", "KXETH15M", "KXSOL15M", "KXXRP15M"}, BY_QUARTER, 1, 2, 1, 7, 0},
    {{"KXNFLGAME", NULL}, BY_TEAMS, 2, 2, 0, 9, 0},
    {{"KXHIGHNY", "KXHIGHCHI", "KXHIGHMIA", "KXHIGHLAX"}, BY_TEMPERATURE, 6, 6, 0, 9, 0},
    {{"KXFEDDECISION", NULL}, BY_RATE, 5, 5, 2, 11, 0},
    {{"KXBTCD", NULL}, BY_VALUE, 10, 11, 3, 8, 0},
    {{"KXNBAGAME", NULL}, BY_TEAMS, 2, 2, 4, 9, 1},
    {{"KXCPIYOY", NULL}, BY_VALUE, 6, 7, 5, 11, 1},
    {{"KXNHLGAME", NULL}, BY_TEAMS, 2, 2, 6, 9, 2},
    {{"KXINXD", NULL}, BY_VALUE, 8, 9, 7, 9, 2},
    {{"KXATPMATCH", NULL}, BY_TEAMS, 2, 2, 8, 8, 3},
    {{"KXETHD", NULL}, BY_VALUE, 10, 11, 9, 8, 3},
    {{"KXRAINNYC", "KXRAINSEA", "KXSNOWCHI", "KXSNOWDEN"}, BY_DAY, 1, 2, 10, 10, 0},
    {{"KXNEXTTEAMNBA", NULL}, BY_WORD, 8, 9, 11, 11, 1},
    {{"KXGASAAA", NULL}, BY_VALUE, 6, 7, 12, 11, 4},
    {{"KXTSAW", NULL}, BY_VALUE, 5, 6, 13, 11, 5},
    {{"KXNCAAFGAME", NULL}, BY_TEAMS, 2, 2, 0, 9, 4},
};

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
names_of(const struct gen_series *series)
{
    unsigned count = 1;

    while (count < 4 && series->names[count] != NULL)
        count++;
    return count;
}

static const char *
name_of(const struct gen_event *event)
{
    const struct gen_series *series = &gen_series_table[event->series];

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
    const struct value *value = &values[gen_series_table[event->series].team_set];
    uint32_t half = gen_series_table[event->series].markets / 2u;

    return value->base + value->step * (strike + event->turn % 16 * value->drift / 40) - value->step * half -
           (value->nines ? 1u : 0u);
}

int64_t
gen_close_of(const struct kdp_gen *gen, unsigned series, uint32_t turn)
{
    int64_t start_s = gen->config.start_ns / KDP_NS_PER_S;
    const struct gen_series *s = &gen_series_table[series];
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
    const struct team *set = teams[gen_series_table[event->series].team_set];
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
    const struct gen_series *series = &gen_series_table[event->series];
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

char *
gen_put_market_suffix(const struct kdp_gen *gen, const struct gen_event *event, unsigned strike, char *at)
{
    const struct gen_series *series = &gen_series_table[event->series];
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
    const struct gen_series *series = &gen_series_table[event->series];
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
    if (gen_series_table[event->series].markets > 1 && at[-1] != '?') {
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
    const struct gen_series *series = &gen_series_table[event->series];
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
    const struct gen_series *series = &gen_series_table[event->series];
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
    unsigned naming = gen_series_table[event->series].naming;

    return naming != BY_VALUE && naming != BY_QUARTER && naming != BY_DAY;
}

bool
gen_event_is_timed(const struct gen_event *event)
{
    return gen_series_table[event->series].naming == BY_QUARTER;
}
