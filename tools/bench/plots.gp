# The plots of the page, from the figures beside them. Run by bench.sh in the report's directory, with `experiment` set.
set terminal svg size 720,400 dynamic font 'sans-serif,13' background '#ffffff' linewidth 1.2
set grid lc rgb '#dddddd' lt 1
set border 3 lc rgb '#555555'
set tics nomirror
set key outside right top Left reverse samplen 2 maxcols 1

red = '#c0392b'; orange = '#e08e0b'; green = '#27823f'; blue = '#1f5fa8'; violet = '#7d3c98'; gray = '#555555'; cyan = '#0f8b8d'
array color[6] = [gray, red, orange, violet, blue, green]

set output experiment.'.svg'
if (experiment eq 'spread') {
  set title 'One connection at a time, and 8 idle workers'
  set xlabel 'workers, the one with the fewest first'
  set ylabel '% of the connections'
  set yrange [0:*]
  set xtics 1
  set xrange [0.8:8.2]
  plot for [i = 1:6] 'spread.series' index i - 1 using 1:2 with linespoints pt 7 ps 0.6 lw 2 lc rgb color[i] title columnheader(1)
}
if (experiment eq 'busy') {
  set title 'One request in a hundred takes a hundred times longer; 8 workers'
  set ylabel 'ms beyond what was asked for'
  set logscale y
  set format y '%g'
  set xrange [0.5:5.5]
  set xtics rotate by -20
  array kind[3] = ['average', 'standard deviation', 'p99']
  array tint[3] = [green, blue, red]
  plot for [i = 1:3] 'busy.series' index i - 1 using ($1 + 0.12 * (i - 2)):3:4:5 with yerrorbars pt 7 ps 0.7 lw 2 lc rgb tint[i] title kind[i], \
       'busy.series' index 0 using 1:3:xticlabels(2) with points pt 0 lc rgb green notitle
}
if (experiment eq 'herd') {
  set title 'One connection at a time'
  set xlabel 'workers that wait for it'
  set ylabel "workers' CPU for a connection, µs"
  set logscale xy
  set xtics (4, 16, 64, 256)
  set xrange [3.5:300]
  array shown[6] = [0, 3, 6, 9, 10, 11]
  plot for [i = 1:6] 'herd.series' index shown[i] using 1:2:3:4 with yerrorlines pt 7 ps 0.6 lw 2 lc rgb color[i] title columnheader(1)
}
if (experiment eq 'cost') {
  set terminal svg size 720,640 dynamic font 'sans-serif,13' background '#ffffff' linewidth 1.2
  array ink[7] = [gray, violet, red, orange, blue, green, cyan]
  set multiplot
  set size 1, 0.5
  set lmargin 10
  set rmargin 38
  set logscale xy
  set xtics (2, 4, 16, 64, 128, 256)
  set xrange [1.8:300]
  set ylabel "workers' CPU for a connection, µs"
  set origin 0, 0.5
  set title 'One connection at a time'
  plot for [i = 1:7] 'cost.series' index i - 1 using 1:2:3:4 with yerrorlines pt 7 ps 0.5 lw 2 lc rgb ink[i] title columnheader(1)
  set origin 0, 0
  set title '128 connections at once'
  set xlabel 'workers'
  unset key
  plot for [i = 1:7] 'cost_all.series' index i - 1 using 1:2:3:4 with yerrorlines pt 7 ps 0.5 lw 2 lc rgb ink[i]
  unset multiplot
}
