// What a program says of a command line that is wrong.
#ifndef MRE_CLIENT_CONSOLE_USAGE_H_
#define MRE_CLIENT_CONSOLE_USAGE_H_

#include <string>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace mre {

// What CLI11 found wrong, after the program's name. An argument that it does
// not know says more than what is missing because of it.
std::string UsageErrorText(const CLI::App* app, const CLI::Error& error);

}  // namespace mre

#endif  // MRE_CLIENT_CONSOLE_USAGE_H_
