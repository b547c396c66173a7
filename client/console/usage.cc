#include "client/console/usage.h"

#include <CLI/CLI.hpp>

namespace mre {

std::string UsageErrorText(const CLI::App* app, const CLI::Error& error) {
  const auto unknown = app->remaining(/*recurse=*/true);
  std::string text = error.what();
  if (!unknown.empty()) {
    const bool command = app->get_subcommands().empty() &&
                         !app->get_subcommands(nullptr).empty();
    text = command ? "command" : "argument";
    text = "unknown " + text + " \"" + unknown.front() + "\"";
  }
  return app->get_name() + ": " + text +
         "\nRun with --help for more information.\n";
}

}  // namespace mre
