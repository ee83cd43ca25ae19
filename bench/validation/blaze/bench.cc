// blaze, compiled once: nanoseconds for a body, as JSON.
//
//     blaze_bench SCHEMA BODIES     (one body a line)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <sourcemeta/blaze/compiler.h>
#include <sourcemeta/blaze/evaluator.h>
#include <sourcemeta/core/json.h>
#include <sourcemeta/core/jsonschema.h>

using sourcemeta::core::JSON;
using Clock = std::chrono::steady_clock;

template <typename Run> static double best_ns(std::size_t count, Run run)
{
    double best = 1e9;
    for (int round = 0; round < 500; round++) {
        const auto start = Clock::now();
        auto now = start;
        std::size_t done = 0;
        for (; now - start < std::chrono::milliseconds(2); now = Clock::now(), done += count) {
            for (std::size_t i = 0; i < count; i++)
                run(i);
        }
        const std::chrono::duration<double, std::nano> took = now - start;
        best = std::min(best, took.count() / static_cast<double>(done));
    }
    return best;
}

static void assert_true(bool good)
{
    if (!good)
        std::abort();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    std::vector<std::string> bodies;
    std::vector<JSON> values;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) {
        values.push_back(sourcemeta::core::parse_json(line));
        bodies.push_back(line);
    }
    const auto schema = sourcemeta::blaze::compile(
        sourcemeta::core::read_json(argv[1]), sourcemeta::core::schema_official_walker,
        sourcemeta::core::schema_official_resolver, sourcemeta::blaze::default_schema_compiler,
        sourcemeta::blaze::Mode::FastValidation);
    sourcemeta::blaze::Evaluator evaluator;
    const double parse = best_ns(bodies.size(), [&](std::size_t i) {
        assert_true(sourcemeta::core::parse_json(bodies[i]).is_object());
    });
    const double check = best_ns(bodies.size(), [&](std::size_t i) {
        assert_true(evaluator.validate(schema, values[i]));
    });
    const double both = best_ns(bodies.size(), [&](std::size_t i) {
        assert_true(evaluator.validate(schema, sourcemeta::core::parse_json(bodies[i])));
    });
    std::printf("{\"parse\": %.1f, \"check\": %.1f, \"both\": %.1f}\n", parse, check, both);
}
