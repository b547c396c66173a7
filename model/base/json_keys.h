// Keys that an object of a JSON text has twice: nlohmann's parser lets one of
// them win silently, which hides a mistake.
#ifndef MRE_MODEL_BASE_JSON_KEYS_H_
#define MRE_MODEL_BASE_JSON_KEYS_H_

#include <map>
#include <set>
#include <string>

namespace mre {

// For the callback of one nlohmann parser, which is to pass on every event. (A
// template, so that JSON is in no interface.)
class RepeatedKeys {
 public:
  // Whether `value` is a key that its object has already.
  template <typename Json>
  bool Repeats(int depth, typename Json::parse_event_t event,
               const Json& value) {
    if (event == Json::parse_event_t::object_start) keys_[depth + 1].clear();
    return event == Json::parse_event_t::key &&
           !keys_[depth].insert(value.template get<std::string>()).second;
  }

 private:
  std::map<int, std::set<std::string>> keys_;  // of the object open at a depth
};

}  // namespace mre

#endif  // MRE_MODEL_BASE_JSON_KEYS_H_
