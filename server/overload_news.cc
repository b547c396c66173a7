#include "server/overload_news.h"

#include "model/base/log.h"

namespace mre {

void OverloadWatch::See(Spell& spell, bool now_on, uint64_t count,
                        absl::Time time, OverloadNews::What begins,
                        OverloadNews::What ends,
                        std::vector<OverloadNews>& news) {
  // It may have come and gone since the last look.
  const bool seen = now_on || count != spell.count;
  if (seen && !spell.on) {
    spell.on = true;
    spell.began = time;
    spell.count_before = spell.count;
    news.push_back({.what = begins});
  }
  if (seen) spell.last_seen = time;
  spell.count = count;
  if (spell.on && time - spell.last_seen >= kOverloadQuiet) {
    spell.on = false;
    news.push_back({.what = ends,
                    .lasted = spell.last_seen - spell.began,
                    .times = count - spell.count_before});
  }
}

std::vector<OverloadNews> OverloadWatch::Look(const Scheduler::Overload& now,
                                              absl::Time time) {
  using What = OverloadNews::What;
  std::vector<OverloadNews> news;
  See(lowering_, now.lowered, now.lowerings, time, What::kLowering,
      What::kLowered, news);
  See(refusing_, /*now_on=*/false, now.refused, time, What::kRefusing,
      What::kRefused, news);
  return news;
}

void LogOverload(const OverloadNews& news) {
  const double seconds = absl::ToDoubleSeconds(news.lasted);
  switch (news.what) {
    case OverloadNews::What::kLowering:
      Log(Severity::kWarning, "overload: rows are granted fewer steps");
      return;
    case OverloadNews::What::kLowered:
      Log(Severity::kInfo, "overload is over: rows are granted all steps again",
          {{"seconds", seconds}, {"times", news.times}});
      return;
    case OverloadNews::What::kRefusing:
      Log(Severity::kWarning, "overload: requests are refused");
      return;
    case OverloadNews::What::kRefused:
      Log(Severity::kInfo, "overload is over: requests are taken again",
          {{"seconds", seconds}, {"refused", news.times}});
      return;
  }
}

}  // namespace mre
