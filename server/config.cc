#include "server/config.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/base/version.h"
#include "model/math/parallel.h"
#include "server/config_file.h"
#include "server/flags.h"

namespace mre {

Precision ChosenPrecision(const ServerConfig& config) {
  if (config.precision == "bf16") return Precision::kBf16;
  if (config.precision == "f32") return Precision::kF32;
  return CpuPrefersBf16() ? Precision::kBf16 : Precision::kF32;
}

namespace {

using Kind = ConfigValue::Kind;

// What the file may give a flag, from how CLI11 names the flag's type.
std::string ExpectedKind(const CLI::Option& option) {
  if (option.get_expected_min() == 0) return "true or false";
  const std::string type = option.get_type_name();
  if (absl::StartsWith(type, "INT") || absl::StartsWith(type, "UINT")) {
    return "a whole number";
  }
  return absl::StartsWith(type, "FLOAT") ? "a number" : "a text";
}

bool Fits(Kind kind, const std::string& expected, const CLI::Option& option) {
  switch (kind) {
    case Kind::kInteger:
      return expected == "a whole number" || expected == "a number";
    case Kind::kNumber:
      return expected == "a number";
    case Kind::kText:
      return expected == "a text";
    case Kind::kBoolean:
      return expected == "true or false" ||
             absl::StrContains(option.get_type_name(), "{on,off}");
  }
  return false;
}

// The file's values as if they were flags. Flags that are on the command line
// win, but what the file gives them must be right too.
class FileReader : public CLI::Config {
 public:
  FileReader(CLI::App& app, ServerConfig& config)
      : app_(app), config_(config) {}

  std::string to_config(const CLI::App*, bool, bool,
                        std::string) const override {
    return "";
  }

  // Throws what is wrong, a line each, with the key in front.
  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::string text(kMaxConfigBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    std::vector<std::string> problems;
    ConfigFile file = ReadConfigFile(text, problems);
    std::vector<CLI::ConfigItem> items;
    for (const ConfigFile::Entry& entry : file.entries) {
      CLI::ConfigItem item;
      item.name = entry.key;
      const std::string problem = Convert(entry, item.inputs);
      if (!problem.empty()) {
        problems.push_back(absl::StrCat(entry.key, ": ", problem));
      }
      items.push_back(std::move(item));
    }
    if (!problems.empty()) {
      throw CLI::ConfigError(absl::StrJoin(problems, "\n"));
    }
    config_.models = std::move(file.models);
    return items;
  }

  // Whether the flag's value is the file's.
  bool Gave(const std::string& flag) const { return from_file_.contains(flag); }

 private:
  // Checks the entry as the command line would and takes its values; returns
  // what is wrong.
  std::string Convert(const ConfigFile::Entry& entry,
                      std::vector<std::string>& texts) const {
    CLI::Option* option = app_.get_option_no_throw("--" + entry.key);
    if (option == nullptr || !option->get_configurable()) {
      return "is not known here: expected the name of a flag (see --help)";
    }
    if (option->empty()) from_file_.insert(entry.key);
    const std::string expected = ExpectedKind(*option);
    if (entry.is_list && option->get_items_expected_max() == 1) {
      return absl::StrCat("expected ", expected, ", got a list");
    }
    for (const ConfigValue& value : entry.values) {
      if (!Fits(value.kind, expected, *option)) {
        return absl::StrCat("expected ", expected, ", got ", value.text);
      }
      std::string text = value.text;
      if (value.kind == Kind::kBoolean && expected == "a text") {
        text = text == "true" ? "on" : "off";
      }
      texts.push_back(text);
      std::string problem = Validate(*option, text);
      if (!problem.empty()) return problem;
    }
    return "";
  }

  static std::string Validate(CLI::Option& option, std::string text) {
    for (int i = 0;; ++i) {
      const CLI::Validator* validator = nullptr;
      try {
        validator = option.get_validator(i);
      } catch (const CLI::OptionNotFound&) {
        return "";
      }
      std::string problem = (*validator)(text);
      if (!problem.empty()) return problem;
    }
  }

  CLI::App& app_;
  ServerConfig& config_;
  mutable std::set<std::string> from_file_;
};

// Says each line of `text`, after the program's name and `where`.
void Complain(const std::string& where, absl::string_view text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    std::fputs(absl::StrCat("mre-server: ", where, line, "\n").c_str(), stderr);
  }
}

// What CLI11 found wrong. An argument that it does not know says more than what
// is missing because of it.
std::string UsageProblem(const CLI::App& app, const CLI::Error& error) {
  const auto unknown = app.remaining();
  return unknown.empty()
             ? std::string(error.what())
             : absl::StrCat("unknown argument \"", unknown.front(), "\"");
}

}  // namespace

CommandLine ParseCommandLine(int argc, char** argv) {
  CommandLine line;
  ServerConfig& config = line.config;
  CLI::App app(
      "mre-server: anytime predictions from Mixtures of Raytraced Experts over "
      "gRPC.\n\nWhen it can serve it prints one line to stdout:\n"
      "  mre-server ready grpc=HOST:PORT metrics=HOST:PORT models=N\n"
      "SIGTERM drains it and ends it with status 0.",
      "mre-server");
  app.option_defaults()->always_capture_default();
  AddAllFlags(app, config);
  CLI::Option* file = app.set_config(
      "--config", "",
      "JSON file: the flags' names with their values, and \"models\" (see "
      "server/README.md); flags win");
  CLI::Option* check =
      app.add_flag("--check", config.check,
                   "Only look whether configuration and models are right: a "
                   "line a model version on stdout, all that is wrong on "
                   "stderr; exits with 0, or with 1 if anything is")
          ->configurable(false);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", std::string("mre-server ") + kVersion);
  const auto reader = std::make_shared<FileReader>(app, config);
  app.config_formatter(reader);

  const auto in_file = [&] {
    return absl::StrCat(file->as<std::string>(), ": ");
  };
  line.run = true;
  try {
    app.parse(argc, argv);
    if (file->count() > 0) config.config_file = file->as<std::string>();
    for (const FlagProblem& problem : CheckFlags(app, config)) {
      const bool given = reader->Gave(problem.flag);
      Complain(given ? in_file() : "--",
               absl::StrCat(problem.flag, ": ", problem.text));
      line.run = false;
    }
  } catch (const CLI::ConfigError& error) {
    Complain(in_file(), error.what());
    line.run = false;
  } catch (const CLI::ParseError& error) {
    line.run = false;
    if (error.get_exit_code() == 0) {  // help or version
      app.exit(error);
      return line;
    }
    Complain("", UsageProblem(app, error));
    Complain("", "run with --help for more information");
  }
  if (!line.run) line.exit_code = check->count() > 0 ? 1 : 2;
  return line;
}

}  // namespace mre
