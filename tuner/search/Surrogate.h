//===- Surrogate.h - What the trials so far say about the untried ---------===//
//
// A Gaussian process over the points of a space. It does not predict times but how far the cost model is off:
// the observations are log(measured / modelled), so that with no trial it says what the model says, and with
// each trial it says it better. The covariance of two points has three parts:
//
//     bias²                    the model is off by one factor everywhere (clocks, other work on the machine)
//     slope² * (f . g)         it mis-weighs a feature: one slope for each
//     bumps² * exp(-|f-g|²/2l²)  it misses something here that it does not miss far away
//
// The sizes of the last two are chosen from a small grid by the likelihood of the observations, so nothing
// has to be set by hand for a kernel. (Rasmussen and Williams, "Gaussian Processes for Machine Learning",
// 2006, algorithm 2.1 and section 5.4.)
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SEARCH_SURROGATE_H
#define QUERN_TUNER_SEARCH_SURROGATE_H

#include <cstddef>
#include <vector>

namespace quern::tuner {

/// Mean and standard deviation.
struct Belief {
  double mean = 0, deviation = 0;
};

class Surrogate {
public:
  /// |features| of each observation, all of one length; |values| observed with standard deviation |noise|.
  void fit(std::vector<std::vector<double>> features, std::vector<double> values, double noise);
  /// Before the first observation: mean 0 and the widest deviation.
  Belief at(const std::vector<double> &features) const;
  /// Takes |value| for what |features| will show, without choosing the sizes again.
  void pretend(const std::vector<double> &features, double value);

private:
  struct Sizes {
    double slope = 0.1, bumps = 0.2, length = 1;
  };
  double covariance(const std::vector<double> &a, const std::vector<double> &b) const;
  /// Factors the covariance of all observations; the logarithm of their likelihood.
  double factor();

  Sizes sizes;
  double noise = 0.02;
  std::vector<std::vector<double>> features;
  std::vector<double> values;
  std::vector<double> lower;   ///< Cholesky factor, row by row
  std::vector<double> weights; ///< inverse covariance times values
};

} // namespace quern::tuner

#endif // QUERN_TUNER_SEARCH_SURROGATE_H
